int main(void) { printf("%d\n", 3); return undeclared_thing(); }
