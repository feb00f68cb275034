import Glibc

/// The binomial distribution.
enum Binomial {
    /// The probability of exactly `k` successes in `n` trials.
    static func probability(_ k: Int, of n: Int, each share: Double) -> Double {
        func logFactorial(_ k: Int) -> Double { lgamma(Double(k) + 1) }
        func power(_ base: Double, _ exponent: Int) -> Double { exponent == 0 ? 0 : Double(exponent) * log(base) }
        return exp(
            logFactorial(n) - logFactorial(k) - logFactorial(n - k) + power(share, k) + power(1 - share, n - k))
    }
}
