// The cotangents v of probabilities pulled back to the scores, s (v - t) with t = sum(s v) / sum(s), where the Jacobian is
// diag(s) - s s^T / sum(s). Included by rows.hpp.

template <class T>
void pull_back_rows(const Product& r, int64_t begin, int64_t end) {
  const int64_t whole = r.classes / lanes * lanes;
  const int rest = int(r.classes - whole);
  for (int64_t i = begin; i < end; ++i) {
    const T* s = static_cast<const T*>(r.slopes) + i * r.classes;
    const T* v = static_cast<const T*>(r.cotangents) + i * r.classes;
    T* out = static_cast<T*>(r.out) + i * r.classes;
    D weighed{}, total{};
    const auto add = [&](D slope, D cotangent) {
      weighed += slope * cotangent;
      total += slope;
    };
    for (int64_t j = 0; j < whole; j += lanes) add(load_wide(s + j), load_wide(v + j));
    if (rest) add(load_wide_some(s + whole, rest), load_wide_some(v + whole, rest));
    const auto sum = [](D of) { return fold(of, [](D a, D b) { return a + b; })[0]; };
    const double all_slopes = sum(total), mean = sum(weighed) / (all_slopes <= 0.0 ? 1.0 : all_slopes);
    for (int64_t j = 0; j < whole; j += lanes)
      store_rounded(out + j, load_wide(s + j) * (load_wide(v + j) - all(mean)));
    if (rest)
      store_rounded_some(out + whole, load_wide_some(s + whole, rest) * (load_wide_some(v + whole, rest) - all(mean)), rest);
  }
}

void pull_back(const Product& r, int64_t begin, int64_t end) {
  r.element == Element::float64 ? pull_back_rows<double>(r, begin, end) : pull_back_rows<float>(r, begin, end);
}
