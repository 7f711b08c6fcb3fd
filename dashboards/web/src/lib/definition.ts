// The shapes of `/api/definition`. Its routes stand outside of the running plant, which they restart.

export interface PlantFile {
  name: string;
  text: string;
}
export interface Version {
  id: number;
  time: string;
  by: string;
  comment: string;
  hash: string;
}
export interface Definition {
  hash: string;
  place: "file" | "folder" | "memory";
  changed_on_disk: boolean;
  files: PlantFile[];
  versions: Version[];
}
export interface FileDiagnostic {
  severity: "error" | "warning";
  code: string;
  file: string;
  line: number;
  column: number;
  end_line: number;
  end_column: number;
  message: string;
  hint: string;
}
export interface Change {
  what: string;
  kind: "changed" | "added" | "removed";
  before: string | null;
  after: string | null;
  consequences: string[];
}
export interface Plan {
  hash: string;
  base: string;
  diagnostics: FileDiagnostic[];
  changes: Change[];
  text: string;
}
export interface Applied {
  hash: string;
  version: number;
  changes: Change[];
  text: string;
}
