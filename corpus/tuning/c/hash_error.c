#warning look here
#ifndef WANTED
#error it is wanted
#endif
int main(void) { return 0; }
