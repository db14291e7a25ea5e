#include "bits/stdc++.h"
int main() { std::set<int> s{2, 1}; std::cout << *s.begin() << "\n"; }
