import Profile

/// Why an image's addresses have no names, or no lines, where one would expect them.
public struct SymbolNote: Sendable, Hashable, CustomStringConvertible {
  public enum Problem: Sendable, Hashable {
    case missing
    /// The system's word for it.
    case unreadable(String)
    /// What is different.
    case replaced(String)
    case damaged(String)
    case debugInfoDamaged(String)
    /// It has the names of exported functions at most, and nothing else has the rest.
    case stripped
    /// The file that dwz moved a part of its debug information to is not there.
    case alternateMissing(String)
    /// So many of the units that were needed are in .dwo files that are not there; the first of those.
    case splitMissing(Int, of: Int, first: String)
    /// Code that was made while the program ran, and why there are no names for it.
    case generatedCode(String)
    /// Servers for debug information could not be asked.
    case servers(String)
  }
  public var image: ImageIndex
  public var path: String
  public var problem: Problem
  /// Locations in the image, and how many of them have no name now.
  public var locations: Int
  public var unnamed: Int

  public init(image: ImageIndex, path: String, problem: Problem, locations: Int, unnamed: Int) {
    self.image = image
    self.path = path
    self.problem = problem
    self.locations = locations
    self.unnamed = unnamed
  }

  /// One line.
  public var description: String {
    let names = unnamed == 0 ? "names come from elsewhere" : "\(unnamed) of \(locations) addresses have no name"
    switch problem {
    case .missing: return "\(path): no such file; \(names)"
    case .unreadable(let reason): return "\(path): \(reason); \(names)"
    case .replaced(let difference): return "\(path): not the file that ran: \(difference); \(names)"
    case .damaged(let reason): return "\(path): not a readable ELF file: \(reason); \(names)"
    case .debugInfoDamaged(let reason): return "\(path): debug information is damaged: \(reason); lines may be missing"
    case .stripped: return "\(path): stripped, and no file with its symbols was found; \(names)"
    case .alternateMissing(let file):
      return "\(path): a part of its debug information is in \(file), which is not there; names and lines may be missing"
    case .splitMissing(let missing, let wanted, let first):
      return "\(path): debug information of \(missing) of \(wanted) units is not there (\(first)); inlined functions are missing"
    case .generatedCode(let reason): return "\(path): code made at run time: \(reason); \(names)"
    case .servers(let reason): return "\(path): \(reason)"
    }
  }

  /// What is true of the same module for the same reason is said once: images of one path, by several processes or builds.
  static func merged(_ notes: [SymbolNote]) -> [SymbolNote] {
    struct Key: Hashable {
      var path: String
      var problem: Problem
    }
    var rows: [Key: Int] = [:]
    var merged: [SymbolNote] = []
    for note in notes {
      let key = Key(path: note.path, problem: note.problem)
      if let row = rows[key] {
        merged[row].locations += note.locations
        merged[row].unnamed += note.unnamed
      } else {
        rows[key] = merged.count
        merged.append(note)
      }
    }
    return merged
  }
}
