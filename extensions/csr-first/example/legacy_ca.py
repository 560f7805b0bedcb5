#!/usr/bin/env python3
"""An authority of the kind that begins with the CSR, as `kind = "command"` asks it: one call, one JSON question, one answer.

usage: legacy_ca.py FOLDER, with ca.pem (CA certificate, then those above it) and ca.key in the folder

Its work is filed by `key`. It signs only the CSR whose SHA-256 it was told at `submit`, each once, and says the same again
when it is asked again. In FOLDER: KEY.csr.sha256, KEY.pem, KEY.abandoned, calls.log.
"""

import json, os, secrets, subprocess, sys, time

folder = sys.argv[1]
asked = json.load(sys.stdin)
step, key = asked["step"], asked["key"]


def path(end):
    return os.path.join(folder, key + end)


def keep(end, text):
    """Whole or not at all, however this program ends."""
    with open(path(end + ".new"), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path(end + ".new"), path(end))


def kept(end):
    try:
        with open(path(end)) as file:
            return file.read()
    except FileNotFoundError:
        return None


def say(**answer):
    print(json.dumps(answer))
    sys.exit(0)


def sign():
    subject = subprocess.run(["openssl", "req", "-noout", "-subject"], input=asked["csr"], text=True, check=True,
                             capture_output=True).stdout.strip()
    critical = "critical," if subject in ("subject=", "subject= ") else ""
    names = ",".join(("IP:" if one["type"] == "ip" else "DNS:") + one["value"] for one in asked["identifiers"])
    keep(".cnf", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
                 f"subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName={critical}{names}\n")
    ca = os.path.join(folder, "ca.pem")
    leaf = subprocess.run(
        ["openssl", "x509", "-req", "-sha256", "-days", "30", "-set_serial", "0x5e" + secrets.token_hex(16),
         "-CA", ca, "-CAkey", os.path.join(folder, "ca.key"), "-extfile", path(".cnf")],
        input=asked["csr"], text=True, check=True, capture_output=True).stdout
    with open(ca) as chain:
        keep(".pem", leaf + chain.read())


with open(os.path.join(folder, "calls.log"), "a") as log:
    log.write(json.dumps({"at": time.time(), "step": step, "key": key, "csrSha256": asked.get("csrSha256")}) + "\n")

if step == "submit":
    if kept(".csr.sha256") not in (None, asked["csrSha256"]):
        say(status="refused", reason="another CSR was submitted under this key")
    keep(".csr.sha256", asked["csrSha256"])
    say(status="done")
if step == "issue":
    if kept(".csr.sha256") != asked["csrSha256"]:
        say(status="refused", reason="this is not the CSR that was submitted")
    if kept(".pem") is None:
        sign()
    say(status="issued", chain=kept(".pem"))
if step == "abandon":
    keep(".abandoned", "")
say(status="done")
