int main(int argc, char **argv) { (void)argv; volatile int *p = (int *)(long)(argc - 1); return *p; }
