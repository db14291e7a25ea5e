#include <vector>
#include <iostream>
int main() { std::vector<int> v{1}; std::cout << v[0] << "\n"; }
