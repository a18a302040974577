use proptest::prelude::*;

use super::*;
use crate::owner::{Owner, SubjectType, Target};

fn id(text: &str) -> KeyId {
    KeyId::new(text).unwrap()
}

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::parse(&base64_of(&[byte; 32])).unwrap()
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn vault(writing: &str, keys: &[(&str, u8)]) -> Vault {
    let keys = keys.iter().map(|(name, byte)| (id(name), key(*byte)));
    Vault::new(Keyring::new(&id(writing), keys).unwrap())
}

fn owner(subject: &str) -> Owner {
    Owner {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        subject_type: SubjectType::User,
    }
}

fn binding<'a>(owner: &'a Owner, target: &'a Target) -> Binding<'a> {
    Binding {
        owner,
        target,
        kind: RecordKind::OAuth,
        version: 7,
    }
}

#[test]
fn a_row_copied_to_another_owner_does_not_open() {
    let vault = vault("a", &[("a", 1)]);
    let (alice, bob) = (owner("alice"), owner("bob"));
    let target = Target::server("notes");
    let sealed = vault
        .seal(&Secret::new("token"), &binding(&alice, &target))
        .unwrap();
    assert_eq!(
        vault.open(&sealed, &binding(&bob, &target)),
        Err(VaultError::Refused)
    );
    assert_eq!(
        vault.rewrap(&sealed, &binding(&bob, &target)),
        Err(VaultError::Refused),
        "rewrapping does not bless it either"
    );
}

#[test]
fn each_part_of_the_place_counts() {
    let vault = vault("a", &[("a", 1)]);
    let (alice, target) = (owner("alice"), Target::server("notes"));
    let place = binding(&alice, &target);
    let sealed = vault.seal(&Secret::new("token"), &place).unwrap();

    let other_issuer = Owner {
        issuer: "https://other.example".to_owned(),
        ..alice.clone()
    };
    let other_type = Owner {
        subject_type: SubjectType::VirtualAccount,
        ..alice.clone()
    };
    let other_source = Target {
        source: "wiki".to_owned(),
        ..target.clone()
    };
    let other_server = Target {
        server: "wiki".to_owned(),
        ..target.clone()
    };
    let elsewhere = [
        binding(&other_issuer, &target),
        binding(&other_type, &target),
        binding(&alice, &other_source),
        binding(&alice, &other_server),
        Binding {
            kind: RecordKind::Consent,
            ..place
        },
        Binding {
            version: 8,
            ..place
        },
    ];
    for other in elsewhere {
        assert_eq!(vault.open(&sealed, &other), Err(VaultError::Refused));
    }
    assert!(vault.open(&sealed, &place).is_ok());
}

#[test]
fn fields_cannot_be_shifted_into_each_other() {
    let vault = vault("a", &[("a", 1)]);
    let target = Target::server("notes");
    let with = |issuer: &str, subject: &str| Owner {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        subject_type: SubjectType::User,
    };
    let (one, other) = (with("ab", "c"), with("a", "bc"));
    let sealed = vault
        .seal(&Secret::new("token"), &binding(&one, &target))
        .unwrap();
    assert_eq!(
        vault.open(&sealed, &binding(&other, &target)),
        Err(VaultError::Refused)
    );
}

#[test]
fn every_write_has_a_data_key_of_its_own() {
    let vault = vault("a", &[("a", 1)]);
    let (alice, target) = (owner("alice"), Target::server("notes"));
    let place = binding(&alice, &target);
    let seal = || vault.seal(&Secret::new("token"), &place).unwrap();
    let (one, other) = (seal(), seal());
    let (one, other) = (one.parts().unwrap(), other.parts().unwrap());
    assert_ne!(one.wrap_nonce, other.wrap_nonce);
    assert_ne!(one.nonce, other.nonce);
    assert_ne!(one.ciphertext, other.ciphertext);
    let open = |parts| vault.unwrap(parts, &place).unwrap();
    assert_ne!(open(&one), open(&other));
}

#[test]
fn after_rewrapping_the_old_key_is_not_needed() {
    let (alice, target) = (owner("alice"), Target::server("notes"));
    let place = binding(&alice, &target);
    let secret = Secret::new("token");
    let sealed = vault("old", &[("old", 1)]).seal(&secret, &place).unwrap();

    let both = vault("new", &[("old", 1), ("new", 2)]);
    assert_eq!(both.open(&sealed, &place), Ok(secret.clone()));
    let rewrapped = both.rewrap(&sealed, &place).unwrap().unwrap();
    assert_eq!(rewrapped.key_id(), Some(id("new")));
    assert_eq!(both.rewrap(&rewrapped, &place), Ok(None));

    let only_new = vault("new", &[("new", 2)]);
    assert_eq!(only_new.open(&rewrapped, &place), Ok(secret));
    assert_eq!(
        only_new.open(&sealed, &place),
        Err(VaultError::UnknownKey(id("old")))
    );
}

#[test]
fn another_key_of_the_same_id_does_not_open() {
    let (alice, target) = (owner("alice"), Target::server("notes"));
    let place = binding(&alice, &target);
    let sealed = vault("a", &[("a", 1)])
        .seal(&Secret::new("token"), &place)
        .unwrap();
    assert_eq!(
        vault("a", &[("a", 2)]).open(&sealed, &place),
        Err(VaultError::Refused)
    );
}

#[test]
fn the_id_of_the_wrapping_key_cannot_be_exchanged() {
    let (alice, target) = (owner("alice"), Target::server("notes"));
    let place = binding(&alice, &target);
    // The same key under two names: only the associated data tells them apart.
    let vault = vault("a", &[("a", 1), ("b", 1)]);
    let sealed = vault.seal(&Secret::new("token"), &place).unwrap();
    let renamed = Sealed::from_parts(&Parts {
        key_id: id("b"),
        ..sealed.parts().unwrap()
    });
    assert_eq!(vault.open(&renamed, &place), Err(VaultError::Refused));
}

#[test]
fn a_keyring_has_each_id_once_and_the_writing_key() {
    let twice = [(id("a"), key(1)), (id("a"), key(2))];
    assert_eq!(
        Keyring::new(&id("a"), twice).err(),
        Some(KeyringError::Duplicate(id("a")))
    );
    assert_eq!(
        Keyring::new(&id("b"), [(id("a"), key(1))]).err(),
        Some(KeyringError::NoWritingKey)
    );
}

#[test]
fn a_key_is_32_bytes_in_base64() {
    assert!(EncryptionKey::parse(&format!("{}\n", base64_of(&[1; 32]))).is_ok());
    for wrong in ["", "secret", &base64_of(&[1; 31]), &base64_of(&[1; 33])] {
        assert_eq!(EncryptionKey::parse(wrong).err(), Some(KeyError), "{wrong}");
    }
}

#[test]
fn a_generated_key_can_be_read_and_no_two_are_the_same() {
    let key = EncryptionKey::generate().unwrap();
    let again = EncryptionKey::parse(&key.to_text()).unwrap();
    assert_eq!(*key.to_text(), *again.to_text());
    assert_ne!(
        *key.to_text(),
        *EncryptionKey::generate().unwrap().to_text()
    );
}

#[test]
fn keys_are_not_printed() {
    let vault = vault("a", &[("a", 1)]);
    let printed = format!("{vault:?}");
    assert!(printed.contains("EncryptionKey(…)"), "{printed}");
    assert!(!printed.contains(&base64_of(&[1; 32])), "{printed}");
}

proptest! {
    #[test]
    fn what_was_sealed_opens_as_it_was(
        secret in proptest::collection::vec(any::<u8>(), 0..2000),
        issuer in ".*", subject in ".*", server in ".*", source in ".*", version: i64,
    ) {
        let vault = vault("a", &[("a", 1)]);
        let owner = Owner { issuer, subject, subject_type: SubjectType::ExternalIdentity };
        let target = Target { server, source };
        let place = Binding { version, ..binding(&owner, &target) };
        let sealed = vault.seal(&Secret::new(secret.clone()), &place).unwrap();
        let read = Sealed::from_bytes(sealed.as_bytes().to_vec());
        prop_assert_eq!(vault.open(&read, &place), Ok(Secret::new(secret)));
    }

    #[test]
    fn no_bit_can_be_changed(at: proptest::sample::Index, bit in 0_u8..8) {
        let vault = vault("a", &[("a", 1)]);
        let (alice, target) = (owner("alice"), Target::server("notes"));
        let place = binding(&alice, &target);
        let sealed = vault.seal(&Secret::new("a secret token"), &place).unwrap();
        let mut bytes = sealed.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(vault.open(&Sealed::from_bytes(bytes), &place).is_err());
    }

    #[test]
    fn bytes_from_anywhere_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let vault = vault("a", &[("a", 1)]);
        let (alice, target) = (owner("alice"), Target::server("notes"));
        let place = binding(&alice, &target);
        for start in [vec![], vec![1, 1, b'a']] {
            let bytes = [start, bytes.clone()].concat();
            prop_assert!(vault.open(&Sealed::from_bytes(bytes.clone()), &place).is_err());
            prop_assert!(vault.rewrap(&Sealed::from_bytes(bytes), &place).is_err());
        }
    }

    #[test]
    fn a_secret_that_is_cut_short_does_not_open(keep: proptest::sample::Index) {
        let vault = vault("a", &[("a", 1)]);
        let (alice, target) = (owner("alice"), Target::server("notes"));
        let place = binding(&alice, &target);
        let sealed = vault.seal(&Secret::new("a secret token"), &place).unwrap();
        let mut bytes = sealed.as_bytes().to_vec();
        bytes.truncate(keep.index(bytes.len()));
        prop_assert!(vault.open(&Sealed::from_bytes(bytes), &place).is_err());
    }
}
