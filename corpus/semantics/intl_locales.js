// @benign intl_locales.js
// @what sorting, numbers, plurals and names of many languages are built in; with C.UTF-8 the default is en-US
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=en-US 1,234.5\nz,ö ö,z\n1.234,5 1,2 Mio. 12%\nfew many other\nčtvrtek 日本語\na2,a10 0 true
console.log(Intl.DateTimeFormat().resolvedOptions().locale, (1234.5).toLocaleString());
const sorted = (locale) => ['z', 'ö'].sort(new Intl.Collator(locale).compare).join();
console.log(sorted('sv'), sorted('de'));
const plain = (text) => text.replace(/\s/g, ' ');
console.log(new Intl.NumberFormat('de-DE').format(1234.5),
  plain(new Intl.NumberFormat('de-DE', { notation: 'compact' }).format(1234567)),
  new Intl.NumberFormat('en', { style: 'percent' }).format(0.123));
console.log(...[3, 1.5, 5].map((n) => new Intl.PluralRules('cs').select(n)));
console.log(new Intl.DateTimeFormat('cs', { weekday: 'long', timeZone: 'UTC' }).format(0),
  new Intl.DisplayNames('ja', { type: 'language' }).of('ja'));
console.log(['a10', 'a2'].sort(new Intl.Collator('en', { numeric: true }).compare).join(),
  'É'.localeCompare('e', 'fr', { sensitivity: 'base' }), Intl.Collator.supportedLocalesOf('cs').length === 1);
