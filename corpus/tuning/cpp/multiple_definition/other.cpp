int value = 3;
int f() { return value; }
