#include <bits/stdc++.h>
using namespace std;
struct E : exception { const char *what() const noexcept override { return "own"; } };
int main() { try { throw E(); } catch (const exception &e) { cout << e.what() << typeid(e).name(); } try { vector<int>().at(3); } catch (out_of_range &e) { cout << e.what(); } }
