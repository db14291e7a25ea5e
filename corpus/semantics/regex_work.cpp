// @benign regex_work.cpp
// @what std::regex: captures, iteration, replacement, bad pattern; a text of 50,000 characters, where libstdc++ recurses once or more for each and needs a large stack
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=31.03. disk full at 0\n02.04. no net at 46\nSmith John, Lovelace Ada\n4 parts, 10\nregex_error 1\nlong 10
#include <iostream>
#include <iterator>
#include <regex>
#include <string>

int main()
{
    const std::string log = "2024-03-31 ERROR disk full\n2024-04-01 INFO ok\n2024-04-02 ERROR no net\n";
    std::regex line(R"((\d{4})-(\d\d)-(\d\d) (ERROR|INFO) ([^\n]*))");
    for (std::sregex_iterator i(log.begin(), log.end(), line), end; i != end; ++i)
        if ((*i)[4] == "ERROR") std::cout << (*i)[3] << '.' << (*i)[2] << ". " << (*i)[5] << " at " << i->position()
            << '\n';
    std::cout << std::regex_replace("John Smith, Ada Lovelace", std::regex(R"((\w+) (\w+))"), "$2 $1") << '\n';
    std::regex comma(",\\s*");
    std::string list = "a, b,c,  d";
    std::cout << std::distance(std::sregex_token_iterator(list.begin(), list.end(), comma, -1),
        std::sregex_token_iterator()) << " parts, "
              << std::regex_match("ABBA", std::regex("(a)(b)\\2\\1", std::regex::icase)) << std::regex_match("ABAB",
                  std::regex("(a)(b)\\2\\1", std::regex::icase)) << '\n';
    try {
        std::regex bad("(unclosed");
    } catch (const std::regex_error &e) {
        std::cout << "regex_error " << (e.code() == std::regex_constants::error_paren) << '\n';
    }
    std::string big(50000, 'a');
    std::cout << "long " << std::regex_match(big, std::regex("(a|b)*")) << std::regex_match(big + "c",
        std::regex("(a|b)*")) << '\n';
}
