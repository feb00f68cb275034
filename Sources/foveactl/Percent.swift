import FoveaControl

/// `93.2 %`.
func percent(_ fraction: Double) -> String { "\(Units.decimals(fraction * 100, 1)) %" }
