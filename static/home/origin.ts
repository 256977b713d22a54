/** The page is written with the default address; this puts the one it was really loaded from. */
const WRITTEN = "localhost:8000";

export function nameOrigin(
  code: HTMLElement,
  { host, protocol }: Pick<Location, "host" | "protocol">,
): void {
  const secure = protocol === "https:";
  code.textContent = code.textContent
    .replaceAll(`http://${WRITTEN}`, `${secure ? "https" : "http"}://${host}`)
    .replaceAll(`ws://${WRITTEN}`, `${secure ? "wss" : "ws"}://${host}`);
}
