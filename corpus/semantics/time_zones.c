// @benign time_zones.c
// @what UTC unless TZ says else; named zones come from /usr/share/zoneinfo, summer time included; POSIX rules need no file
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=default: 1970-01-01 00:00:00 +0000 UTC\nEurope/Berlin: 2024-03-31 01:59:59 +0100 CET\nEurope/Berlin: 2024-03-31 03:00:00 +0200 CEST\nAmerica/St_Johns: 2024-07-03 07:16:40 -0230 NDT\nAsia/Kathmandu: 1970-01-01 05:29:59 +0530 +0530\nEST5EDT,M3.2.0,M11.1.0: 2024-07-03 05:46:40 -0400 EDT\nnormalised 03-02 01 h, 1709337600\nyear 36812, clock set right: 1
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void show(const char *zone, time_t t)
{
    char text[64];
    if (zone) setenv("TZ", zone, 1); else unsetenv("TZ");
    tzset();
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z %Z", localtime(&t));
    printf("%s: %s\n", zone ? zone : "default", text);
}

int main(void)
{
    show(NULL, 0);
    show("Europe/Berlin", 1711846799);  /* one second before the clocks go forward, and then */
    show("Europe/Berlin", 1711846800);
    show("America/St_Johns", 1720000000);
    show("Asia/Kathmandu", -1);
    show("EST5EDT,M3.2.0,M11.1.0", 1720000000);
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    struct tm tm = {.tm_year = 124, .tm_mon = 1, .tm_mday = 30, .tm_hour = 25, .tm_isdst = -1};
        /* 30 February, 25:00 */
    time_t t = mktime(&tm);
    printf("normalised %02d-%02d %02d h, %lld\n", tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, (long long)t);
    t = 1LL << 40;
    printf("year %d, clock set right: %d\n", gmtime(&t)->tm_year + 1900, time(NULL) > 1700000000);
    return 0;
}
