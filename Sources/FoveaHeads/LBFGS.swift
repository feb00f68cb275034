import Glibc

/// Minimises a smooth convex function by limited-memory BFGS (Nocedal & Wright, Numerical Optimization, 2nd edition, algorithms
/// 7.4 and 7.5) with Armijo's backtracking.
struct LBFGS {
    /// Pairs of steps and gradient changes that stand for the curvature.
    var memory = 10
    var iterations = 200
    /// Ends where the gradient's norm falls to this share of the first one's.
    var tolerance = 1e-5

    /// - Parameters:
    ///   - start: where to begin.
    ///   - function: the value at a point; fills in the gradient.
    /// - Returns: the last point.
    func minimise(_ start: [Double], _ function: ([Double], inout [Double]) -> Double) -> [Double] {
        func dot(_ a: [Double], _ b: [Double]) -> Double {
            var sum = 0.0
            for i in a.indices { sum = sum.addingProduct(a[i], b[i]) }
            return sum
        }
        var x = start
        var gradient = [Double](repeating: 0, count: x.count)
        var value = function(x, &gradient)
        let goal = tolerance * max(1e-12, dot(gradient, gradient).squareRoot())
        var pairs: [(s: [Double], y: [Double], rho: Double)] = []
        for _ in 0..<iterations {
            if dot(gradient, gradient).squareRoot() <= goal { break }
            // The two loops: direction = −H · gradient.
            var direction = gradient
            var alphas: [Double] = []
            for pair in pairs.reversed() {
                let alpha = pair.rho * dot(pair.s, direction)
                alphas.append(alpha)
                for i in direction.indices { direction[i] -= alpha * pair.y[i] }
            }
            if let last = pairs.last {
                let scale = 1 / (last.rho * dot(last.y, last.y))
                for i in direction.indices { direction[i] *= scale }
            } else {
                let scale = 1 / max(1, dot(gradient, gradient).squareRoot())
                for i in direction.indices { direction[i] *= scale }
            }
            for (pair, alpha) in zip(pairs, alphas.reversed()) {
                let beta = pair.rho * dot(pair.y, direction)
                for i in direction.indices { direction[i] += (alpha - beta) * pair.s[i] }
            }
            let slope = -dot(gradient, direction)
            guard slope < 0 else { break }
            var step = 1.0
            var next = x
            var nextGradient = gradient
            var nextValue = Double.infinity
            while step > 1e-10 {
                for i in x.indices { next[i] = x[i] - step * direction[i] }
                nextValue = function(next, &nextGradient)
                if nextValue <= value + 1e-4 * step * slope { break }
                step /= 2
            }
            guard nextValue < value else { break }
            var s = next
            var y = nextGradient
            for i in s.indices {
                s[i] -= x[i]
                y[i] -= gradient[i]
            }
            let curvature = dot(s, y)
            if curvature > 1e-12 * dot(y, y) {
                pairs.append((s, y, 1 / curvature))
                if pairs.count > memory { pairs.removeFirst() }
            }
            (x, gradient, value) = (next, nextGradient, nextValue)
        }
        return x
    }
}
