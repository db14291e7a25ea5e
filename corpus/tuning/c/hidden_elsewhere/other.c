static int secret(void) { return 1; }
int use(void) { return secret(); }
