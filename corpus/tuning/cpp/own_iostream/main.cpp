// flags: -Imine
#include <iostream>
int main() { return own(); }
