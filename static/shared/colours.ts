/** The theme's colours as a canvas understands them: resolved for the scheme that is in force. */
export function coloursOf<Name extends string>(
  host: HTMLElement,
  names: readonly Name[],
): Record<Name, string> {
  const probe = host.appendChild(document.createElement("i"));
  // By way of `color`, because reading the property itself would give light-dark(…) unresolved.
  const colours = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(colours) as Record<Name, string>;
}
