import Profile

/// Figures as people read them. Everything rounds half away from zero, and nothing depends on the locale.

/// `value` millionths with so many decimals (at most 6).
func fixed(millionths value: UInt64, decimals: Int) -> String {
  var scale: UInt64 = 1
  for _ in decimals..<6 { scale *= 10 }
  let rounded = value / scale + (value % scale >= (scale + 1) / 2 && scale > 1 ? 1 : 0)
  guard decimals > 0 else { return "\(rounded)" }
  let digits = String(rounded)
  let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
  return "\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
}

/// `value` in millionths; what is no such number (clocks come from a file) gives the nearest that is.
func millionths(_ value: Double) -> UInt64 { UInt64(min(max((value * 1_000_000).rounded(), 0), 1e18)) }

func seconds(_ time: Microseconds, decimals: Int) -> String { fixed(millionths: time, decimals: decimals) }

/// A share in percent; of nothing, everything is 0 %.
func percent(_ part: Microseconds, of whole: Microseconds, decimals: Int = 2) -> String {
  guard whole > 0 else { return fixed(millionths: 0, decimals: decimals) }
  return fixed(millionths: millionths(Double(part) / Double(whole) * 100), decimals: decimals)
}

/// A share in percent that does not look like nothing, or like everything, where it is not.
func share(_ part: Microseconds, of whole: Microseconds) -> String {
  if part > 0 && whole > 0 && Double(part) / Double(whole) < 0.0001 { return "under 0.01 %" }
  return "\(percent(part, of: whole)) %"
}

/// `1234567` as `1,234,567`.
func grouped(_ count: some BinaryInteger) -> String {
  let digits = String(count)
  var result = ""
  for (position, digit) in digits.enumerated() {
    if position > 0 && (digits.count - position) % 3 == 0 { result.append(",") }
    result.append(digit)
  }
  return result
}

/// `12.34 s`, `3 min 05 s`: how long something took.
func duration(_ time: Microseconds) -> String {
  let whole = time / 1_000_000
  if whole < 60 { return "\(seconds(time, decimals: whole < 10 ? 3 : 2)) s" }
  func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
  if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
  return "\(whole / 3600) h \(two(whole / 60 % 60)) min \(two(whole % 60)) s"
}

/// `2026-11-23 18:59:01`, of seconds since 1970 plus the offset of a time zone. Howard Hinnant's `civil_from_days`.
func calendarTime(unixSeconds: Int64, offset: Int64) -> String {
  let local = unixSeconds + offset
  let day = local >= 0 ? local / 86400 : (local - 86399) / 86400
  let second = local - day * 86400
  let z = day + 719_468
  let era = (z >= 0 ? z : z - 146_096) / 146_097
  let dayOfEra = z - era * 146_097
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shifted = (5 * dayOfYear + 2) / 153
  let dayOfMonth = dayOfYear - (153 * shifted + 2) / 5 + 1
  let month = shifted < 10 ? shifted + 3 : shifted - 9
  let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
  return "\(year)-\(two(month))-\(two(dayOfMonth)) \(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
}
