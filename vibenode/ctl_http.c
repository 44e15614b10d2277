/* One HTTP request to a node on this machine, by libcurl: over TCP or a Unix socket, never by a
 * proxy, never anywhere else. */
#include "vibenode/ctl_impl.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define ANSWER_MAX     (64u << 20)
#define CONNECT_MS_MAX 10000L

static size_t on_body(char *bytes, size_t one, size_t len, void *ctx)
{
    struct ctl_answer *answer = ctx;
    (void)one; /* always 1 */
    if (answer->body.len + len > ANSWER_MAX)
        return 0;
    ops_text_bytes(&answer->body, bytes, len);
    return len;
}

static void set_place(CURL *curl, const struct ctl_question *question)
{
    char place[OPS_PLACE_TEXT], url[OPS_PLACE_TEXT + 64];
    ops_place_format(&question->place, place);
    if (question->place.is_unix)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, question->place.path);
    snprintf(url, sizeof url, "http://%s%s", question->place.is_unix ? "localhost" : place,
             question->path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* also against the environment's */
}

static struct curl_slist *set_post(CURL *curl, const struct ctl_question *question)
{
    char line[300];
    struct curl_slist *headers = NULL;
    snprintf(line, sizeof line, "Authorization: Bearer %s", question->token);
    headers = curl_slist_append(headers, line);
    snprintf(line, sizeof line, "Content-Type: %s", question->content_type);
    headers = curl_slist_append(headers, line);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, question->body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)question->len);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

bool ctl_http_ask(const struct ctl_question *question, struct ctl_answer *answer, char *why,
                  size_t size)
{
    char place[OPS_PLACE_TEXT], error[CURL_ERROR_SIZE] = "";
    *answer = (struct ctl_answer){0};
    CURL *curl = curl_easy_init();
    if (!curl) {
        snprintf(why, size, "libcurl does not start");
        return false;
    }
    long max_ms = (long)(question->max_time_s * 1000);
    set_place(curl, question);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, max_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     max_ms < CONNECT_MS_MAX ? max_ms : CONNECT_MS_MAX);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "vibenode-ctl");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    struct curl_slist *headers = question->post ? set_post(curl, question) : NULL;
    CURLcode code = curl_easy_perform(curl);
    const char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->code);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    answer->is_json = type && strncasecmp(type, "application/json", 16) == 0;
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return true;
    ops_place_format(&question->place, place);
    snprintf(
        why, size,
        code == CURLE_OPERATION_TIMEDOUT
            ? "the node at %s does not answer in time (%s): is it busy? --max-time waits longer"
            : "no node answers at %s (%s): does one run there? --http or --data says where",
        place, error[0] ? error : curl_easy_strerror(code));
    ops_text_free(&answer->body);
    return false;
}
