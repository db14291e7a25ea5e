// flags: -Wshadow -Wconversion -Woverloaded-virtual -Wnon-virtual-dtor -Weffc++ -Wold-style-cast
#include <bits/stdc++.h>
using namespace std;
struct B { virtual void f(int) {} int a; };
struct D : B { void f(long) {} };
int main() { int i = 3.7; long long n = 1LL << 40; int j = n; double d = i; float e = d; { int i = 2; cout << i; } D b; b.f(j + e); }
