#define NAME "util"
int twice(int);
