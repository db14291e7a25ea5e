char shared[64] __attribute__((aligned(1)));
char other;
void set(void) { shared[0] = 5; shared[1] = 1; }
