#include <iostream>
struct A { int x }
class B : A { void f( };
int main( { B b; b.f() }
