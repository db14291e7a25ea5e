// flags: -std=c++20
#include <bits/stdc++.h>
using namespace std;
int main() { list<int> l{2, 1}; ranges::sort(l); }
