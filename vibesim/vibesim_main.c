/* vibesim: see vibesim/cli.h. */
#include "vibesim/cli.h"
#include "vibesim/hugepages.h"

int main(int argc, char **argv)
{
    hugepages_ask();
    return cli_main(argc, argv);
}
