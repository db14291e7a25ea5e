// flags: -std=c++20
#include <bits/stdc++.h>
using namespace std;
struct G { struct promise_type { int v; G get_return_object() { return {coroutine_handle<promise_type>::from_promise(*this)}; } suspend_always initial_suspend() { return {}; } suspend_always final_suspend() noexcept { return {}; } suspend_always yield_value(int n) { v = n; return {}; } void return_void() {} void unhandled_exception() {} }; coroutine_handle<promise_type> h; };
G count() { for (int i = 0; i < 3; i++) co_yield i; }
int main() { G g = count(); while (g.h.resume(), !g.h.done()) cout << g.h.promise().v; g.h.destroy(); }
