// @benign several_files.cpp
// @what headers and sources in sub-folders: a class in its own file, inline variable shared by both, static objects of each file initialised
// @limits cpu=5 wall=10
// @file bank/account.hpp:"struct\ Account\ {\ explicit\ Account(int\ b);\ void\ pay(int\ n);\ int\ balance()\ const;\ private:\ int\ b_;\ };\ inline\ int\ payments\ =\ 0;"
// @file bank/account.cpp:"struct\ Account\ {\ explicit\ Account(int\ b);\ void\ pay(int\ n);\ int\ balance()\ const;\ private:\ int\ b_;\ };\ inline\ int\ payments\ =\ 0;\ Account::Account(int\ b)\ :\ b_(b)\ {}\ void\ Account::pay(int\ n)\ {\ if\ (n\ >\ b_)\ throw\ n\ -\ b_;\ b_\ -=\ n;\ payments++;\ }\ int\ Account::balance()\ const\ {\ return\ b_;\ }"
// @file util/registry.cpp:"int\ &registered()\ {\ static\ int\ n\ =\ 0;\ return\ n;\ }"
// @file plugins/one.cpp:"int\ &registered();\ namespace\ {\ struct\ Plugin\ {\ Plugin()\ {\ registered()++;\ }\ }\ plugin;\ }"
// @file plugins/two.cpp:"int\ &registered();\ namespace\ {\ struct\ Plugin\ {\ Plugin()\ {\ registered()\ +=\ 10;\ }\ }\ plugin;\ }"
// @expect exit=0
// @expect out=balance 70, payments 1, short of 30, plugins 11
#include "bank/account.hpp"
#include <iostream>

int &registered();

int main()
{
    Account a(100);
    a.pay(30);
    int missing = 0;
    try {
        a.pay(100);
    } catch (int n) {
        missing = n;
    }
    std::cout << "balance " << a.balance() << ", payments " << payments << ", short of " << missing << ", plugins "
        << registered() << '\n';
}
