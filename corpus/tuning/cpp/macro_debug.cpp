#define _GLIBCXX_DEBUG 1
#include <bits/stdc++.h>
int main() { std::vector<int> v{1}; std::cout << v[1]; }
