#include <bits/stdc++.h>
using namespace std;
struct S { S(const S &) = delete; };
static_assert(is_copy_constructible_v<S>, "it can not be copied");
int main() { static_assert(sizeof(int) == 8); }
