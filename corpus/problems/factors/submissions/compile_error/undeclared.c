int main(void) { return factors; }
