#include <iostream>
int main() { int x = "text"; const int y = 1; y = 2; int *p = 3.5; return x + p; }
