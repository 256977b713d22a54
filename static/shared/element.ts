/** Elements of the page. That they are there is the page's own promise, so these throw. */

/** The element with this id. */
export function elementById(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element #${id}`);
  return element;
}

/** The first element inside `parent` that matches, if it is of this kind. */
export function elementIn<E extends Element>(
  parent: ParentNode,
  selector: string,
  kind: abstract new () => E,
): E {
  const element = parent.querySelector(selector);
  if (element instanceof kind) return element;
  throw new Error(`The page has no ${kind.name} at ${selector}`);
}

/** Writing the same text again would make a screen reader say it again, and costs a layout. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
