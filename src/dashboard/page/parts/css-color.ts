/** The colour that a variable has here and now, as canvases take it. */
export function cssColor(variable: string, className = ''): string {
  const probe = document.createElement('i');
  probe.className = className;
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
