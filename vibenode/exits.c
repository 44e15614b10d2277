/* What exit statuses mean; see exits.h. */
#include "vibenode/exits.h"

#include <stddef.h>

const char *exits_words(int status)
{
    static const char *const words[EXITS_COUNT] = {
        [EXITS_DONE] = "ended as it was told to",
        [EXITS_FAILED] = "something broke while running, or could not be stored at the end",
        [EXITS_USAGE] = "the command line or the configuration is wrong",
        [EXITS_LISTEN] = "an address cannot be listened on, or HTTP cannot be started",
        [EXITS_DATA] = "the data folder is in use, damaged, of another chain, or not ours to write",
    };
    return status >= 0 && status < EXITS_COUNT ? words[status] : NULL;
}
