#!/bin/sh
# A mail site of its own: Postfix, Dovecot and OpenDKIM of Debian on free ports of loopback, with alice@alpha.test.
#   site.sh start DIR   site.sh stop DIR
# Ports come in by the environment: SMTP SUBMISSION IMAPS SASL MILTER INBOX (the authority's).
set -eu
D=$2
if [ "$1" = stop ]; then
  postfix -c "$D/postfix" stop || true
  for pid in dovecot/run/master.pid opendkim.pid; do
    [ ! -e "$D/$pid" ] || kill "$(cat "$D/$pid")" || true
  done
  exit 0
fi

mkdir -p "$D/tls" "$D/dkim" "$D/dovecot/run" "$D/dovecot/mail" "$D/postfix" "$D/queue" "$D/data"
chmod 755 "$D"
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $key -days 2 -subj "/CN=root of alpha" -keyout "$D/tls/root.key" -out "$D/tls/root.pem"
openssl req $key -subj "/CN=mail.alpha.test" -keyout "$D/tls/key.pem" -out "$D/tls/csr.pem"
echo "subjectAltName=DNS:mail.alpha.test" >"$D/tls/names"
openssl x509 -req -in "$D/tls/csr.pem" -CA "$D/tls/root.pem" -CAkey "$D/tls/root.key" -days 2 -extfile "$D/tls/names" -out "$D/tls/cert.pem"

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$D/dkim/key.pem"
printf 'v=DKIM1; k=rsa; p=%s' "$(openssl pkey -in "$D/dkim/key.pem" -pubout -outform DER | base64 -w0)" >"$D/dkim/record"
echo "alpha alpha.test:mail:$D/dkim/key.pem" >"$D/dkim/keys"
echo "*@alpha.test alpha" >"$D/dkim/signers"
cat >"$D/dkim/opendkim.conf" <<C
PidFile $D/opendkim.pid
Socket inet:$MILTER@127.0.0.1
Mode s
Syslog no
Background yes
RequireSafeKeys false
Canonicalization relaxed/relaxed
KeyTable $D/dkim/keys
SigningTable refile:$D/dkim/signers
MacroList daemon_name|submission
SignHeaders *,+Auto-Submitted,+Message-ID,+Sender,+Reply-To,+Cc,+Content-Type,+Content-Transfer-Encoding
C
opendkim -x "$D/dkim/opendkim.conf"

echo "alice@alpha.test:{PLAIN}alice-pw::::::" >"$D/dovecot/users"
chmod 644 "$D/dovecot/users"
chown 65534:65534 "$D/dovecot/mail"
cat >"$D/dovecot/dovecot.conf" <<C
protocols = imap lmtp
base_dir = $D/dovecot/run
state_dir = $D/dovecot/run
log_path = $D/dovecot.log
listen = 127.0.0.1
ssl = required
ssl_cert = <$D/tls/cert.pem
ssl_key = <$D/tls/key.pem
passdb {
  driver = passwd-file
  args = $D/dovecot/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=$D/dovecot/mail/%u
}
mail_location = maildir:~/Maildir
first_valid_uid = 1
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = $IMAPS
    ssl = yes
  }
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = $SASL
  }
}
C
dovecot -c "$D/dovecot/dovecot.conf"

# The default instance's main.cf must exist; it stays unused.
[ -e /etc/postfix/main.cf ] || : >/etc/postfix/main.cf
chown postfix "$D/data"
cat >"$D/postfix/main.cf" <<C
compatibility_level = 3.6
queue_directory = $D/queue
data_directory = $D/data
maillog_file = $D/mail.log
maillog_file_prefixes = $D
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mail.alpha.test
mydestination =
local_transport = error:no local delivery
alias_maps =
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
virtual_mailbox_domains = alpha.test
virtual_mailbox_maps = inline:{alice@alpha.test=x}
virtual_transport = lmtp:unix:$D/dovecot/run/lmtp
relay_domains = ca.test
transport_maps = inline:{ca.test=smtp:[127.0.0.1]:$INBOX}
smtpd_tls_chain_files = $D/tls/key.pem, $D/tls/cert.pem
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:$SASL
milter_default_action = tempfail
C
cat >"$D/postfix/master.cf" <<C
$SMTP inet n - n - - smtpd
$SUBMISSION inet n - n - - smtpd
  -o milter_macro_daemon_name=submission -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_milters=inet:127.0.0.1:$MILTER
  -o smtpd_sender_login_maps=inline:{alice@alpha.test=alice@alpha.test}
  -o smtpd_sender_restrictions=reject_authenticated_sender_login_mismatch
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
C
postfix -c "$D/postfix" start
