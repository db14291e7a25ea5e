int main(void) { puts("implicit"); return 0; }
