#include <iostream>
#include <vector>
int main() { std::vector<int> v; v.push_bak(1); std::coutt << v.siz(); return valu; }
