import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicAddress, literalAddress } from '../../src/utils/address-policy.ts';

/** Hosts as somebody may write them in a URL, and the address that they stand for. None of them is public. */
const INTERNAL_HOSTS: readonly (readonly [host: string, address: string])[] = [
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.1.', '127.0.0.1'],
  ['127.0.0.1..', '127.0.0.1'],
  ['127.1', '127.0.0.1'],
  ['127.0.1', '127.0.0.1'],
  ['127.255.255.254', '127.255.255.254'],
  ['2130706433', '127.0.0.1'],
  ['0x7f000001', '127.0.0.1'],
  ['0X7F000001', '127.0.0.1'],
  ['0x7f.1', '127.0.0.1'],
  ['0x7f.0.0.1', '127.0.0.1'],
  ['017700000001', '127.0.0.1'],
  ['0177.0.0.1', '127.0.0.1'],
  ['0177.0x0.0.0x1', '127.0.0.1'],
  ['%31%32%37.0.0.1', '127.0.0.1'],
  ['①②⑦.⓪.⓪.①', '127.0.0.1'],
  ['１２７.０.０.１', '127.0.0.1'],
  ['127。0。0。1', '127.0.0.1'],
  ['127．0．0．1', '127.0.0.1'],
  ['0', '0.0.0.0'],
  ['0.0.0.0', '0.0.0.0'],
  ['0x0', '0.0.0.0'],
  ['1', '0.0.0.1'],
  ['10.0.0.1', '10.0.0.1'],
  ['10.255.255.255', '10.255.255.255'],
  ['012.1.2.3', '10.1.2.3'],
  ['167772161', '10.0.0.1'],
  ['100.64.0.1', '100.64.0.1'],
  ['100.100.100.200', '100.100.100.200'],
  ['100.127.255.255', '100.127.255.255'],
  ['168.63.129.16', '168.63.129.16'],
  ['169.254.169.254', '169.254.169.254'],
  ['2852039166', '169.254.169.254'],
  ['0xa9fea9fe', '169.254.169.254'],
  ['0xa9.0xfe.0xa9.0xfe', '169.254.169.254'],
  ['0251.0376.0251.0376', '169.254.169.254'],
  ['169.254.43518', '169.254.169.254'],
  ['172.16.0.1', '172.16.0.1'],
  ['172.31.255.255', '172.31.255.255'],
  ['192.0.0.192', '192.0.0.192'],
  ['192.0.2.1', '192.0.2.1'],
  ['192.88.99.1', '192.88.99.1'],
  ['192.168.1.1', '192.168.1.1'],
  ['3232235777', '192.168.1.1'],
  ['198.18.0.1', '198.18.0.1'],
  ['198.19.255.255', '198.19.255.255'],
  ['198.51.100.1', '198.51.100.1'],
  ['203.0.113.1', '203.0.113.1'],
  ['224.0.0.1', '224.0.0.1'],
  ['239.255.255.250', '239.255.255.250'],
  ['240.0.0.1', '240.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['4294967295', '255.255.255.255'],
  ['[::]', '::'],
  ['[0:0:0:0:0:0:0:0]', '::'],
  ['[::1]', '::1'],
  ['[0000:0000:0000:0000:0000:0000:0000:0001]', '::1'],
  ['[::127.0.0.1]', '::7f00:1'],
  ['[::8.8.8.8]', '::808:808'],
  ['[::ffff:127.0.0.1]', '::ffff:7f00:1'],
  ['[::ffff:7f00:1]', '::ffff:7f00:1'],
  ['[::FFFF:7F00:1]', '::ffff:7f00:1'],
  ['[0:0:0:0:0:ffff:a9fe:a9fe]', '::ffff:a9fe:a9fe'],
  ['[::ffff:0:0]', '::ffff:0:0'],
  ['[::ffff:10.0.0.1]', '::ffff:a00:1'],
  ['[::ffff:0:127.0.0.1]', '::ffff:0:7f00:1'],
  ['[::ffff:0:8.8.8.8]', '::ffff:0:808:808'],
  ['[64:ff9b::7f00:1]', '64:ff9b::7f00:1'],
  ['[64:ff9b::127.0.0.1]', '64:ff9b::7f00:1'],
  ['[64:ff9b::169.254.169.254]', '64:ff9b::a9fe:a9fe'],
  ['[64:ff9b::]', '64:ff9b::'],
  ['[64:ff9b::1]', '64:ff9b::1'],
  ['[64:ff9b:1::7f00:1]', '64:ff9b:1::7f00:1'],
  ['[64:ff9b:1::8.8.8.8]', '64:ff9b:1::808:808'],
  ['[100::1]', '100::1'],
  ['[2001::1]', '2001::1'],
  ['[2001:0:4136:e378:8000:63bf:80ff:fffe]', '2001:0:4136:e378:8000:63bf:80ff:fffe'],
  ['[2001:2::1]', '2001:2::1'],
  ['[2001:10::1]', '2001:10::1'],
  ['[2001:20::1]', '2001:20::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2002:7f00:1::]', '2002:7f00:1::'],
  ['[2002:808:808::1]', '2002:808:808::1'],
  ['[3fff::1]', '3fff::1'],
  ['[5f00::1]', '5f00::1'],
  ['[fc00::1]', 'fc00::1'],
  ['[fd00:ec2::254]', 'fd00:ec2::254'],
  ['[fd20:ce::254]', 'fd20:ce::254'],
  ['[fe80::1]', 'fe80::1'],
  ['[febf::1]', 'febf::1'],
  ['[fec0::1]', 'fec0::1'],
  ['[ff02::1]', 'ff02::1'],
  ['[ff0e::1]', 'ff0e::1'],
  ['[4000::1]', '4000::1'],
  ['localhost', '127.0.0.1'],
  ['LOCALHOST', '127.0.0.1'],
  ['localhost.', '127.0.0.1'],
  ['localhost..', '127.0.0.1'],
  ['ⓛocalhost', '127.0.0.1'],
  ['%6c%6fcalhost', '127.0.0.1'],
  ['foo.localhost', '127.0.0.1'],
  ['a.b.localhost.', '127.0.0.1'],
  ['localhost.localdomain', '127.0.0.1'],
  ['ip6-localhost', '127.0.0.1'],
  ['ip6-loopback', '127.0.0.1'],
  ['metadata.google.internal', '169.254.169.254'],
  ['METADATA.google.internal.', '169.254.169.254'],
  ['metadata', '169.254.169.254'],
  ['metadata.goog', '169.254.169.254'],
  ['instance-data', '169.254.169.254'],
  ['instance-data.ec2.internal', '169.254.169.254'],
];

const PUBLIC_HOSTS: readonly (readonly [host: string, address: string])[] = [
  ['8.8.8.8', '8.8.8.8'],
  ['134744072', '8.8.8.8'],
  ['1.1.1.1', '1.1.1.1'],
  ['9.255.255.255', '9.255.255.255'],
  ['11.0.0.0', '11.0.0.0'],
  ['100.63.255.255', '100.63.255.255'],
  ['100.128.0.0', '100.128.0.0'],
  ['126.255.255.255', '126.255.255.255'],
  ['128.0.0.0', '128.0.0.0'],
  ['168.63.129.15', '168.63.129.15'],
  ['169.253.255.255', '169.253.255.255'],
  ['169.255.0.0', '169.255.0.0'],
  ['172.15.255.255', '172.15.255.255'],
  ['172.32.0.0', '172.32.0.0'],
  ['192.0.1.0', '192.0.1.0'],
  ['192.167.255.255', '192.167.255.255'],
  ['192.169.0.0', '192.169.0.0'],
  ['198.17.255.255', '198.17.255.255'],
  ['198.20.0.0', '198.20.0.0'],
  ['223.255.255.255', '223.255.255.255'],
  ['[2606:4700:4700::1111]', '2606:4700:4700::1111'],
  ['[2001:4860:4860::8888]', '2001:4860:4860::8888'],
  ['[2001:200::1]', '2001:200::1'],
  ['[2a00:1450:4001:80e::200e]', '2a00:1450:4001:80e::200e'],
  ['[::ffff:8.8.8.8]', '::ffff:808:808'],
  ['[64:ff9b::8.8.8.8]', '64:ff9b::808:808'],
  ['[64:ff9b::800:0]', '64:ff9b::800:0'],
];

describe('literalAddress with isPublicAddress', () => {
  it.each(INTERNAL_HOSTS)('sees through %s, which is %s and not public', (host, address) => {
    expect(literalAddress(new URL(`http://${host}:4318/v1/traces`))).toBe(address);
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(PUBLIC_HOSTS)('finds that %s is %s, which is public', (host, address) => {
    expect(literalAddress(new URL(`https://${host}/`))).toBe(address);
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    'otlp.example.com',
    'localhost.example.com',
    'notlocalhost',
    'localhostx',
    'metadata.example.com',
    '127.0.0.1.nip.io',
    '1.foo',
    'xn--bcher-kva.example',
  ])('knows no address of %s without asking the DNS', (host) => {
    expect(literalAddress(new URL(`https://${host}/`))).toBeUndefined();
  });
});

describe('isPublicAddress', () => {
  it.each(['', 'localhost', 'example.com', '127.0.0.1.', '8.8.8', '8.8.8.8.8', '08.8.8.8', ' 8.8.8.8', '8.8.8.8/32'])(
    'refuses %j, which is no address',
    (text) => {
      expect(isPublicAddress(text)).toBe(false);
    },
  );

  it.each(['fe80::1%eth0', '::1%lo', '2606:4700::1%eth0', '2606:4700::1%1'])('refuses %s, which has a zone', (text) => {
    expect(isPublicAddress(text)).toBe(false);
  });

  it('judges an IPv4 address alike however IPv6 spells it', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        const forms = [`::ffff:${address}`, `::ffff:${hex}`, `0:0:0:0:0:ffff:${hex}`, `64:ff9b::${hex}`];
        expect(forms.map(isPublicAddress)).toEqual(forms.map(() => isPublicAddress(address)));
      }),
    );
  });

  it('finds nothing public outside of 2000::/3 but what leads to public IPv4 addresses', () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(fc.tuple(group, group, group, group, group, group, group, group), (groups) => {
        fc.pre(groups[0] >> 13 !== 1);
        const address = groups.map((part) => part.toString(16)).join(':');
        const embeds = /^(?:64:ff9b:0:0:0:0:|0:0:0:0:0:ffff:)/.test(address);
        expect(isPublicAddress(address) && !embeds).toBe(false);
      }),
    );
  });
});
