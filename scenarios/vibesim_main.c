/* vibesim: see scenarios/cli.h. */
#include "scenarios/cli.h"
#include "scenarios/hugepages.h"

int main(int argc, char **argv)
{
    hugepages_ask();
    return cli_main(argc, argv);
}
