/* SIGHUP: the configuration file once more. What may change changes at once; what needs a restart
 * is named; a file that is wrong changes nothing. The log's file is opened again in any case, so
 * that it can be rotated. */
#include "vibenode/daemon_impl.h"
#include "vibenode/log_trace.h"

#define LIST_SIZE 1000u

static bool reopen_log(struct daemon *d, const struct log_options *options)
{
    char why[CONFIG_WHY];
    if (log_set(d->log, options, why, sizeof why))
        return true;
    log_line(d->log, LOG_LEVEL_ERROR, LOG_NODE, "reload", "%s; the log stays as it was", why);
    return false;
}

static void take_over(struct daemon *d, struct config *next)
{
    char applied[LIST_SIZE], restart[LIST_SIZE];
    uint64_t mine_ns = d->config->core.mine_interval_ns;
    config_take_over(d->config, next, applied, restart, sizeof applied);
    if (d->config->core.mine_interval_ns != mine_ns)
        daemon_command(d, &(struct vn_command){.kind = VN_CMD_MINE_INTERVAL,
                                               .number = d->config->core.mine_interval_ns});
    log_line(d->log, LOG_LEVEL_INFO, LOG_NODE, "reload", "%s is read again; changed: %s",
             d->config->file, *applied ? applied : "nothing");
    if (*restart)
        log_line(d->log, LOG_LEVEL_WARNING, LOG_NODE, "reload", "needs a restart to change: %s",
                 restart);
    if (log_trace_lacks(&d->config->log, d->trace_mask))
        log_line(d->log, LOG_LEVEL_WARNING, LOG_NODE, "reload",
                 "messages and transactions are only traced if the log asks for them at the start: "
                 "restart to see them");
}

void daemon_reload(struct daemon *d)
{
    char why[CONFIG_WHY];
    enum config_command command;
    if (!d->config->file) {
        if (reopen_log(d, &d->config->log))
            log_line(d->log, LOG_LEVEL_INFO, LOG_NODE, "reload",
                     "there is no configuration file to read again");
        return;
    }
    struct config *next = config_new(d->argc, d->argv, &command, why, sizeof why);
    if (!next) {
        log_line(d->log, LOG_LEVEL_ERROR, LOG_NODE, "reload", "%s; all stays as it was", why);
        reopen_log(d, &d->config->log);
    } else if (reopen_log(d, &next->log)) {
        take_over(d, next);
    } else {
        config_free(next);
    }
}
