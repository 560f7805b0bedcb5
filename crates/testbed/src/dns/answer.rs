//! From the bytes of a query to the bytes of its answer.

use domain::{
    base::{
        Message, MessageBuilder, Name, Rtype, Serial, ToName, Ttl,
        iana::{Class, Opcode, Rcode},
        message_builder::{AnswerBuilder, PushError},
    },
    rdata::{A, Aaaa, Cname, Soa},
};

use super::zone::{Question, Script, Zone};

/// How the query came, which decides what an answer may weigh.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

impl Zone {
    /// Answers a query into the buffer `reply`. `None` is for what deserves no answer.
    pub(super) fn answer(&self, query: &[u8], reply: Vec<u8>, transport: Transport) -> Option<Vec<u8>> {
        let query = Message::from_slice(query).ok()?;
        if query.header().qr() {
            return None;
        }
        self.try_answer(query, reply, transport).ok()
    }

    fn try_answer(&self, query: &Message<[u8]>, reply: Vec<u8>, transport: Transport) -> Result<Vec<u8>, PushError> {
        let Ok(builder) = MessageBuilder::from_target(reply);
        if query.header().opcode() != Opcode::QUERY {
            return Ok(builder.start_answer(query, Rcode::NOTIMP)?.finish());
        }
        let Ok(question) = query.sole_question() else {
            return Ok(builder.start_answer(query, Rcode::FORMERR)?.finish());
        };
        let opt = query.opt();
        let mut answer = builder.start_answer(query, Rcode::NOERROR)?;
        let (qtype, class) = (question.qtype(), question.qclass());
        self.remember(Question {
            name: question.qname().to_vec(),
            rtype: qtype,
            class,
        });
        answer.header_mut().set_aa(true);
        answer.header_mut().set_ra(query.header().rd());
        answer.header_mut().set_cd(query.header().cd());
        if transport == Transport::Udp {
            let limit = opt
                .as_ref()
                .map_or(CLASSIC_UDP, |opt| usize::from(opt.udp_payload_size()));
            answer.set_push_limit(limit.clamp(CLASSIC_UDP, MAX_UDP) - OPT_LEN);
        }
        let before = answer.counts().ancount();
        let answer = match self.read().push_records(question.qname(), qtype, &mut answer) {
            Ok(rcode) => {
                answer.header_mut().set_rcode(rcode);
                answer
            }
            // A truncated answer is asked for again over TCP (RFC 2181 §9).
            Err(_) => {
                let mut answer = answer.rewind_into();
                answer.header_mut().set_tc(true);
                answer
            }
        };
        let no_data = answer.counts().ancount() == before && answer.header().rcode() == Rcode::NOERROR;
        let mut authority = answer.authority();
        if no_data && !authority.header().tc() {
            let root = Name::root_slice();
            let soa = Soa::new(root, root, Serial::from(1), Ttl::ZERO, Ttl::ZERO, Ttl::ZERO, Ttl::ZERO);
            // A negative answer carries the zone's SOA (RFC 2308 §3).
            authority.push((root, Class::IN, Ttl::ZERO, soa))?;
        }
        let mut additional = authority.additional();
        if opt.is_some() {
            additional.clear_push_limit();
            additional.opt(|opt| {
                opt.set_udp_payload_size(MAX_UDP as u16);
                Ok(())
            })?;
        }
        Ok(additional.finish())
    }
}

impl Script {
    fn push_records(
        &self,
        qname: &impl ToName,
        qtype: Rtype,
        answer: &mut AnswerBuilder<Vec<u8>>,
    ) -> Result<Rcode, PushError> {
        let qname = qname.to_cow();
        let mut name: &Name<[u8]> = qname.for_slice();
        for _ in 0..MAX_CHAIN {
            let records = self.names.get(name);
            if records.is_some_and(|records| records.servfail) {
                return Ok(Rcode::SERVFAIL);
            }
            let Some(target) = records.and_then(|records| records.cname.as_ref()) else {
                return self.push_data(name, qtype, answer);
            };
            answer.push((name, Class::IN, Ttl::ZERO, Cname::new(target)))?;
            if qtype == Rtype::CNAME {
                return Ok(Rcode::NOERROR);
            }
            name = target.for_slice();
        }
        Ok(Rcode::SERVFAIL)
    }

    fn push_data(
        &self,
        name: &Name<[u8]>,
        qtype: Rtype,
        answer: &mut AnswerBuilder<Vec<u8>>,
    ) -> Result<Rcode, PushError> {
        let records = self.names.get(name);
        match qtype {
            Rtype::A => {
                let own = records.map_or(&[][..], |records| &records.a);
                for address in own.iter().chain(self.default_ipv4.iter().filter(|_| own.is_empty())) {
                    answer.push((name, Class::IN, Ttl::ZERO, A::new(*address)))?;
                }
            }
            Rtype::AAAA => {
                let own = records.map_or(&[][..], |records| &records.aaaa);
                for address in own.iter().chain(self.default_ipv6.iter().filter(|_| own.is_empty())) {
                    answer.push((name, Class::IN, Ttl::ZERO, Aaaa::new(*address)))?;
                }
            }
            Rtype::TXT => {
                for txt in records.iter().flat_map(|records| &records.txt) {
                    answer.push((name, Class::IN, Ttl::ZERO, txt))?;
                }
            }
            Rtype::CAA => {
                for caa in records.iter().flat_map(|records| &records.caa) {
                    answer.push((name, Class::IN, Ttl::ZERO, caa))?;
                }
            }
            _ => {}
        }
        Ok(Rcode::NOERROR)
    }
}

/// RFC 1035 §2.3.4.
const CLASSIC_UDP: usize = 512;
/// What is safe from fragments: the value of DNS flag day 2020.
const MAX_UDP: usize = 1232;
/// An OPT record without options (RFC 6891 §6.1.2).
const OPT_LEN: usize = 11;
/// CNAMEs that are followed; a longer chain, or a circle, is a failure.
const MAX_CHAIN: usize = 12;
