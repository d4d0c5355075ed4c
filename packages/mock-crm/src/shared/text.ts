/** "Gekko & Co" → "gekko-co": the host label of a made-up domain. */
export function slug(text: string): string {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}

/** "Mei-Mei" → "meimei": the local part of a made-up e-mail address. */
export function mailName(text: string): string {
  return slug(text).replaceAll("-", "");
}

/** Reads a query parameter that may be repeated (`a=1&a=2`) or a comma list (`a=1,2`). */
export function listParameter(values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) => value.split(",")).filter((value) => value !== "");
}
