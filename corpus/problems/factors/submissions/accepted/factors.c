#include <stdio.h>

int main(void) {
    long long n;
    if (scanf("%lld", &n) != 1) return 1;
    for (long long p = 2; p * p <= n; p++)
        for (; n % p == 0; n /= p) printf("%lld\n", p);
    if (n > 1) printf("%lld\n", n);
    return 0;
}
