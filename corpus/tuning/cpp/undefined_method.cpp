#include <iostream>
struct S { void f(); virtual void g(); };
int main() { S s; s.f(); }
