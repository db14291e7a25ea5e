// @benign time_zones.js
// @what the zone is UTC until the program sets TZ or asks Intl for another; summer time, gaps and old offsets are known
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=UTC 0\n2024-03-31 03:30:00 GMT+2\n2024-10-27 02:30:00 02:30:00\n-330 Asia/Kolkata 5\n2024-03-10T07:30:00.000Z 3:30 4\nRangeError true
console.log(Intl.DateTimeFormat().resolvedOptions().timeZone, new Date().getTimezoneOffset());
const inZone = (timeZone, ms, more = {}) => new Intl.DateTimeFormat('sv-SE', {
  timeZone, year: 'numeric', month: '2-digit', day: '2-digit',
  hour: '2-digit', minute: '2-digit', second: '2-digit', ...more }).format(ms);
const spring = Date.UTC(2024, 2, 31, 1, 30), autumn = Date.UTC(2024, 9, 27, 0, 30);
const name = new Intl.DateTimeFormat('en-US', { timeZone: 'Europe/Prague', timeZoneName: 'shortOffset' })
  .formatToParts(spring).find((part) => part.type === 'timeZoneName').value;
console.log(inZone('Europe/Prague', spring), name);
console.log(inZone('Europe/Prague', autumn), inZone('Europe/Prague', autumn + 3600000).slice(11));
process.env.TZ = 'Asia/Kolkata';
console.log(new Date(0).getTimezoneOffset(), 'Asia/Kolkata', new Date(0).getHours());
process.env.TZ = 'America/New_York';
const gap = new Date(2024, 2, 10, 2, 30);  // that half past two did not happen
console.log(gap.toISOString(), `${gap.getHours()}:${gap.getMinutes()}`, gap.getTimezoneOffset() / 60);
let error;
try { inZone('Europe/Nowhere', 0); } catch (e) { error = e.name; }
console.log(error, Intl.supportedValuesOf('timeZone').length > 300);
