import Testing

@testable import Analysis

@Suite struct ShortNames {
  @Test(
    "C++ names as people say them",
    arguments: [
      ("main", "main"),
      ("compute(int, double)", "compute"),
      ("a::b::compute(std::vector<int, std::allocator<int> > const&) const", "a::b::compute"),
      ("void sort<int*>(int*, int*)", "sort<int*>"),
      (
        "std::map<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >, int>::operator[](int)",
        "std::map<std::string, int>::operator[]"
      ),
      (
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::compare(char const*) const",
        "std::string::compare"
      ),
      ("bool std::operator< <char>(std::basic_string<char> const&, int)", "std::operator<"),
      ("std::ostream& std::operator<< <int>(std::ostream&, int)", "std::operator<<"),
      ("std::less<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > >::f()", "std::less<std::string>::f"),
      ("Less::operator()(int, int) const", "Less::operator()"),
      ("Box::operator->() const", "Box::operator->"),
      ("Box::operator unsigned int() const", "Box::operator unsigned int"),
      ("operator new(unsigned long)", "operator new"),
      ("(anonymous namespace)::helper(int)", "(anonymous namespace)::helper"),
      ("void (anonymous namespace)::walk<(anonymous namespace)::Node, 1ul>(int)", "(anonymous namespace)::walk<...>"),
      ("run(int)::{lambda(int, char)#2}::operator()(int, char) const", "run::{lambda#2}::operator()"),
      ("std::enable_if<(4 > 2), int>::type pick<4>()", "pick<4>"),
      ("auto f<X>(X) -> decltype(X().g())", "f<X>"),
      ("std::string name[abi:cxx11](int)", "name"),
      ("non-virtual thunk to Shape::draw(int)", "non-virtual thunk to Shape::draw"),
      ("broken<int(", "broken<int("),
      ("Foo::Foo(Foo&&)", "Foo::Foo"),
      ("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::size() const", "std::string::size"),
      ("std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char> >::size() const", "std::string::size"),
      ("std::basic_string<wchar_t, std::char_traits<wchar_t>, std::allocator<wchar_t> >::size() const", "std::basic_string<...>::size"),
      ("std::__1::vector<int, std::__1::allocator<int> >::size() const", "std::vector<...>::size"),
      ("std::__cxx11", "std::__cxx11"), ("std::", "std::"), ("box<box<int> >::get()", "box<box<int>>::get"),
      ("int cooperator::f(int)", "cooperator::f"),
    ])
  func short(name: String, expected: String) {
    #expect(shortCxxName(name) == expected)
  }
}
