int value = 4;
int other(void) { return value; }
