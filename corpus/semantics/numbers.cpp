// @benign numbers.cpp
// @what numeric limits, rounding modes, special functions, NaN ordering, exact powers, complex numbers and valarray, shortest text of doubles
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=-2147483648 18446744073709551615 53 2.22045e-16 4.94066e-324\n32-1-1-0 3 001111\n1 120 1.64493 -0.125 7\n0.75 6 1.18059e+21 2.22045e-16 -1 10\n4 2 4\n91 6 3 3\n44 -3 -1 4294967295
#include <cfenv>
#include <cmath>
#include <complex>
#include <iostream>
#include <limits>
#include <numeric>
#include <valarray>

int main()
{
    using D = std::numeric_limits<double>;
    std::cout << std::numeric_limits<int>::min() << ' ' << std::numeric_limits<unsigned long>::max() << ' '
        << D::digits << ' ' << D::epsilon() << ' ' << D::denorm_min() << '\n';
    volatile double half = 0.5, nan = D::quiet_NaN(), zero = 0;
    std::cout << std::lround(half + 2) << std::nearbyint(half + 2) << std::floor(-half) << std::trunc(-half - 1)
        << std::ceil(-half) << ' ';
    std::fesetround(FE_UPWARD);
    std::cout << std::lrint(half + 2) << ' ';
    std::fesetround(FE_TONEAREST);
    std::cout << (nan == nan) << (nan < 1) << (nan != nan) << std::isnan(zero / zero) << std::isinf(1 / zero)
        << std::signbit(-zero) << '\n';
    std::cout << std::beta(2.0, 3.0) * 12 << ' ' << std::tgamma(6.0) << ' ' << std::riemann_zeta(2.0) << ' '
        << std::legendre(2, 0.5) << ' ' << std::hypot(2.0, 3.0, 6.0) << '\n';
    int exponent;
    double mantissa = std::frexp(48.0, &exponent);
    std::cout << mantissa << ' ' << exponent << ' ' << std::ldexp(1.0, 70) << ' ' << std::nextafter(1.0, 2.0) - 1
        << ' ' << std::remquo(7.0, 2.0, &exponent) << ' ' << std::fma(2.0, 3.0, 4.0) << '\n';
    std::complex<double> z = std::polar(2.0, std::acos(-1.0) / 2);
    std::cout << std::norm(z) << ' ' << std::round(z.imag()) << ' ' << std::abs(std::pow(z, 2)) << '\n';
    std::valarray<int> v{1, 2, 3, 4, 5, 6};
    std::valarray<int> even = v[std::slice(1, 3, 2)];
    std::cout << (v * v).sum() << ' ' << even.max() << ' ' << v.cshift(2)[0] << ' '
        << std::valarray<int>(v[v > 3]).size() << '\n';
    std::cout << static_cast<int>(static_cast<unsigned char>(300 + static_cast<int>(zero))) << ' ' << -7 / 2 << ' '
        << -7 % 3 << ' ' << (1u - 2u) << '\n';
}
